"""Who is who on the test's Internet: addresses of documentation, which are nobody's and yet not private."""

from typing import Final

NODE: Final = "198.51.100.10"
NODE_6: Final = "2001:db8::10"
SHOP: Final = "198.51.100.20"
CUSTOMERS: Final = "198.51.100.30"
CUSTOMERS_6: Final = "2001:db8::30"
# Where customers go: a page, and the site that Reality borrows.
PAGE: Final = "198.51.100.80"
PAGE_6: Final = "2001:db8::80"
BORROWED: Final = "198.51.100.90"
RESOLVER: Final = "198.51.100.53"

PAGE_NAME: Final = "page.test"
PAGE_NAME_6: Final = "six.page.test"
BORROWED_NAME: Final = "www.borrowed.test"
# Its address is the address of whoever asks.
WHO_ASKS: Final = "who-asks.test"

# What a node can reach and its customers must not: its neighbours, a cloud's metadata.
NEIGHBOURS: Final = {
    "10.66.0.80": "10.66.0.10",
    "172.20.0.80": "172.20.0.10",
    "192.168.66.80": "192.168.66.10",
    "169.254.169.254": "169.254.169.10",
    "100.64.66.80": "100.64.66.10",
    "fd66::80": "fd66::10",
}

ADDRESSES: Final = {
    PAGE_NAME: (PAGE, PAGE_6),
    PAGE_NAME_6: (PAGE_6,),
    BORROWED_NAME: (BORROWED,),
    "loopback.test": ("127.0.0.1",),
    "neighbour.test": ("10.66.0.80", "fd66::80"),
    "metadata.test": ("169.254.169.254",),
}
