"""``python -m nmc`` is the command ``nmc``."""

from nmc.cli import main

if __name__ == "__main__":
    main()
