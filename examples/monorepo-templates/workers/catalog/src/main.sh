serve catalog
