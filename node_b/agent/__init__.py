"""The agent: owns the Xray with Shadowsocks-2022, its users, and what is said of the host."""
