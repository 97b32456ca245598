"""The local stack over HTTP: the API as deployed, and a page of what goes on."""
