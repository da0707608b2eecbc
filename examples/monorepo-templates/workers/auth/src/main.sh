serve auth
