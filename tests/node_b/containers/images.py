"""The images that the stack asks for, under their own names and tags, made without any registry of images: a base from
Debian's packages, programs that Go has built (`make programs`), and our stand-in for Marzban.

The base and the wheels are kept in CI_CACHE_DIR, or in var/, for the next run; they are made when they are missing.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.node_b.containers.engine import Engine
from tests.programs import program

ROOT: Final = Path(__file__).parents[3]
CACHE: Final = Path(os.environ.get("CI_CACHE_DIR", ROOT / "var")) / "containers"
_PACKAGES: Final = "python3,python3-venv,python3-pip,ca-certificates,wget"
_STAND_INS: Final = Path(__file__).with_name("stand_ins")
# As the Dockerfiles and docker-compose.node-b.yml name them.
PYTHON: Final = "docker.io/library/python:3.13.9-slim-bookworm"
XRAY: Final = "ghcr.io/xtls/xray-core:26.3.27"
CADDY: Final = "docker.io/library/caddy:2.11.9-alpine"
MARZBAN: Final = "docker.io/gozargah/marzban:v0.8.4"

# Debian's Python is called python3 and wants no packages from elsewhere; the image it stands in for is otherwise.
_LIKE_PYTHONS: Final = """
FROM localhost/bookworm
COPY wheels /wheels
COPY pip.conf /etc/pip.conf
RUN ln -s python3 /usr/bin/python && rm /usr/lib/python3*/EXTERNALLY-MANAGED
"""
_XRAY: Final = """
FROM scratch
COPY xray /usr/local/bin/xray
"""
# With its capability on the file, as in Caddy's own image: it must be in reach, or the kernel refuses to start it.
_CADDY: Final = """
FROM localhost/bookworm
COPY caddy /usr/bin/caddy
RUN python3 -c "import os; os.setxattr('/usr/bin/caddy', 'security.capability', bytes.fromhex('{capability}'))"
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
"""
# capabilities(7): revision 2, effective; permitted: the tenth; inheritable: none.
_NET_BIND_SERVICE: Final = "01000002" + "00040000" + "0" * 24
_MARZBAN: Final = """
FROM {python}
WORKDIR /code
RUN python -m pip install {packages}
COPY shared shared
COPY sandbox sandbox
COPY marzban /code
RUN printf '#!/bin/sh\\nexec touch "${{SQLALCHEMY_DATABASE_URL#sqlite:///}}"\\n' >/usr/local/bin/alembic \\
 && printf '#!/bin/sh\\nexec python /code/main.py "$@"\\n' >/usr/bin/marzban-cli \\
 && chmod +x /usr/local/bin/alembic /usr/bin/marzban-cli
ENV PYTHONPATH=/code
CMD ["false"]
"""


def make_images(engine: Engine, scratch: Path) -> None:
    """All that the two Dockerfiles and the compose file name, and nothing else."""
    engine.podman("import", base(), "localhost/bookworm")
    build = _Builder(engine, scratch)
    build(
        PYTHON, _LIKE_PYTHONS, {"wheels": wheels()}, {"pip.conf": "[global]\nno-index = true\nfind-links = /wheels\n"}
    )
    build(XRAY, _XRAY, {"xray": program("xray")})
    build(CADDY, _CADDY.format(capability=_NET_BIND_SERVICE), {"caddy": program("caddy")})
    here = {"marzban": _STAND_INS / "marzban", "sandbox": ROOT / "sandbox", "shared": ROOT / "shared"}
    packages = "aiohttp grpcio psutil pydantic python-xray-api"
    build(MARZBAN, _MARZBAN.format(python=PYTHON, packages=packages), here)


class _Builder:
    def __init__(self, engine: Engine, scratch: Path) -> None:
        self._engine = engine
        self._scratch = scratch

    def __call__(self, name: str, dockerfile: str, files: dict[str, Path], texts: dict[str, str] | None = None) -> None:
        context = self._scratch / hashlib.sha256(name.encode()).hexdigest()[:8]
        context.mkdir(parents=True)
        for target, source in files.items():
            if source.is_dir():
                shutil.copytree(source, context / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, context / target)
        for target, text in (texts or {}).items():
            (context / target).write_text(text)
        (context / "Dockerfile").write_text(dockerfile)
        self._engine.podman("build", "--quiet", "--network", "none", "--tag", name, context)
        shutil.rmtree(context)


@contextmanager
def _alone() -> Iterator[None]:
    """Another worker of this run, or another run, may be filling the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@_alone()
def base() -> Path:
    """Debian 12 with a Python, as one file."""
    if shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed: the containers' base is made with it")
    kept = CACHE / f"bookworm-{hashlib.sha256(_PACKAGES.encode()).hexdigest()[:8]}.tar"
    if not kept.exists():
        root = CACHE / f"bookworm-{os.getpid()}"
        options = ("--variant=minbase", f"--include={_PACKAGES}")
        _run("debootstrap", *options, "bookworm", str(root))
        for useless in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
            shutil.rmtree(root / useless)
        new = kept.with_suffix(".new")
        _run("tar", "--create", "--file", str(new), "--directory", str(root), ".")
        new.replace(kept)
        shutil.rmtree(root)
    return kept


@_alone()
def wheels() -> Path:
    """What both images install, for the base's Python 3.11: the engine's network has no way out."""
    locks = [ROOT / "node_b" / "requirements.lock", ROOT / "requirements.lock"]
    kept = CACHE / f"wheels-{hashlib.sha256(b''.join(lock.read_bytes() for lock in locks)).hexdigest()[:8]}"
    if not kept.exists():
        new = kept.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        for_base = ("--only-binary=:all:", "--python-version=3.11", f"--dest={new}")
        _run(*_PIP, *for_base, "--no-deps", "--require-hashes", f"--requirement={locks[0]}")
        found = re.search(r"^aiohttp==\S+", locks[1].read_text(), re.MULTILINE)
        assert found is not None
        _run(*_PIP, *for_base, found[0])
        new.replace(kept)
    return kept


_PIP: Final = (sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check")


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout
