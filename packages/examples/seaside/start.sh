#!/bin/sh
# Starts one Seaside image as a node. IMAGE is the image file; VM is the virtual machine, by default pharo.
set -eu
: "${IMAGE:?set IMAGE to the path of the Seaside image}"
here=$(cd "$(dirname "$0")" && pwd)
exec "${VM:-pharo}" --headless "$IMAGE" st --no-quit "$here/start.st"
