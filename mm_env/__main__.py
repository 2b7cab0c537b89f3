"""`python -m mm_env` is the command line `mm-env`."""

from mm_env.cli.main import main

if __name__ == "__main__":
    main()
