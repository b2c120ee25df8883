"""The stack as it is deployed: built images, the real `docker compose`, the deploy script itself, in an own network."""
