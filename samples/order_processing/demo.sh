#!/usr/bin/env bash
# Three processes on loopback with TLS: a coordinator and two nodes that its processors run on. One of them is killed midway.
# Usage: demo.sh BUILD_DIR [options of the coordinator]
set -euo pipefail
build=$1
shift
program=$build/samples/order_processing/order_processing
troupe=$build/tools/troupe/troupe
folder=$(mktemp -d)
children=()
clean_up() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap clean_up EXIT

"$troupe" cert init "$folder/pki" --cluster orders >/dev/null
start_node() { # NAME: its process is added to `children`, and its address is set
  "$troupe" cert issue "$folder/pki" "$1" >/dev/null
  mkfifo "$folder/$1"
  "$program" node --name "$1" --tls "$folder/pki" >"$folder/$1" &
  children+=($!)
  disown
  read -r _ _ _ address <"$folder/$1"  # "processors-1 listens at 127.0.0.1:40017"
}
start_node processors-1
nodes=$address
start_node processors-2
nodes+=,$address
"$troupe" cert issue "$folder/pki" coordinator >/dev/null

# A pipe, so that the kill comes when half of the orders have been read, however fast this machine is.
"$build/samples/order_processing/make_orders" 20000 >"$folder/orders"
echo '{"widget": 18500}' >"$folder/stock"
{
  head -n 10000 "$folder/orders"
  echo "demo: kill -9 of processors-1, process ${children[0]}" >&2
  kill -9 "${children[0]}"
  tail -n +10001 "$folder/orders"
} | "$program" coordinator --nodes "$nodes" --tls "$folder/pki" --orders - --stock "$folder/stock" \
  --processors 4 --decline-rate 0.05 --crash-rate 0.01 --seed 7 "$@"
