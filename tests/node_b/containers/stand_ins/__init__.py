"""What stands in for the images of others: no registry of images is asked in a test."""
