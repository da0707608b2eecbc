# Writes a program that answers with the pages of the folder $1.
echo '#!/bin/sh'
echo 'read -r path'
echo 'case ${path#/} in'
for page in "$1"/*.html; do
  case $page in */draft-*) continue ;; esac
  echo "  $(basename "$page" .html)) cat <<'END_OF_PAGE'"
  cat "$page"
  echo 'END_OF_PAGE'
  echo '  ;;'
done
echo '  *) echo "no such page" ;;'
echo 'esac'
