"""The panel: Marzban's settings, its image, its health, and what its database must hold."""
