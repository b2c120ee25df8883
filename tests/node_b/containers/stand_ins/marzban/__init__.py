"""Where Marzban's image has its /code: the sandbox's panel with `--xray`, started by Marzban's own variables."""
