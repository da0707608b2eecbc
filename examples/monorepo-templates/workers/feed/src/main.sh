serve feed
