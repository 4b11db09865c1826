"""What GitHub and the runner say, as frozen values; no decision is taken here."""
