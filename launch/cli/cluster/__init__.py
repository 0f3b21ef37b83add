"""Commands that only a cluster needs: what is sent there, started again and again, and stopped."""
