serve chat
