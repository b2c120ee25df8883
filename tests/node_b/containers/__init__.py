"""The stack as it is deployed: real images, real `docker compose`, the deploy script itself; in a network of its own."""
