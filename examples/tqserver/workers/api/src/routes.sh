route() {
  case $1 in
    /version) echo "$version" ;;
    *) echo "no such path: $1" ;;
  esac
}
