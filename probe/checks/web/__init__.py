"""The web check: is a URL reachable from here as it is from elsewhere, and if not, at which layer and by what
technique?"""
