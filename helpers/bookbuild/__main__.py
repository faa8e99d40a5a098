"""``python -m bookbuild``."""

from bookbuild.cli import run

if __name__ == "__main__":
    run()
