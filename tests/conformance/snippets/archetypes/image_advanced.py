"""One picture by three ways: as the file it is in, as an array with and without alpha, and in BGR order."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image as Picture, ImageDraw

import aiorerun.sync as rr

picture = Picture.new("RGBA", (90, 60), color=(0, 0, 0, 0))
draw = ImageDraw.Draw(picture)
draw.ellipse((10, 10, 50, 50), fill=(240, 60, 60))
draw.line((0, 59, 89, 0), fill=(20, 20, 20), width=3)

rr.init("snippet_image_advanced", recording_id="picture")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "picture.png"
    picture.save(path)
    rr.log("file", rr.EncodedImage(path=str(path)))
    pixels = np.array(Picture.open(path))

rr.log("pixels/rgba", rr.Image(pixels))
rr.log("pixels/rgb", rr.Image(pixels[..., :3]))
# What libraries that read pictures in this order return.
rr.log("pixels/bgr", rr.Image(np.ascontiguousarray(pixels[..., 2::-1]), color_model="BGR"))
