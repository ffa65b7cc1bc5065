"""Images and depth images of plain pixels."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from aiorerun import errors
from aiorerun.archetypes._base import converted, told_of
from aiorerun.archetypes.image import DepthImageFields, ImageFields, SegmentationImageFields
from aiorerun.types.coerce.blobs import OwnBytes
from aiorerun.types.coerce.catalog import CHANNEL_DATATYPE, COLOR_MODEL, PIXEL_FORMAT
from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.structs import Packed, pack_image_format
from aiorerun.types.encoding import BLOB, FIXED

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image as PILImage

    from aiorerun.archetypes._base import Archetype
    from aiorerun.archetypes.encoded_images import EncodedImage
    from aiorerun.archetypes.image import EncodedDepthImage
    from aiorerun.components import ColormapLike, ImageFormat, MagnificationFilterLike
    from aiorerun.datatypes import (
        BlobLike,
        ChannelDatatypeLike,
        ColorModelLike,
        Float32Like,
        ImageLike,
        PixelFormatLike,
        Range1DLike,
    )  # fmt: skip

_CHANNELS: Final = {"L": 1, "RGB": 3, "RGBA": 4, "BGR": 3, "BGRA": 4}
_MODELS: Final = COLOR_MODEL.variants
_MODEL_OF_CHANNELS: Final = {1: _MODELS["L"], 3: _MODELS["RGB"], 4: _MODELS["RGBA"]}
_NAMES: Final = {
    "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "int8": "I8", "int16": "I16",
    "int32": "I32", "int64": "I64", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip
_DATATYPES: Final = {dtype: CHANNEL_DATATYPE.variants[name] for dtype, name in _NAMES.items()}
_known_dtypes: dict[Any, int | None] = {}
_DTYPES: Final = {number: dtype for dtype, number in _DATATYPES.items()}


class Image(ImageFields):
    """An image of pixels with one, three or four channels, or in a camera's pixel format.

    Either an array is given, or bytes together with their format.

    Args:
        image: Pixels of shape ``(height, width)`` or ``(height, width, channels)``, or a Pillow image.
        color_model: What the channels are; by default grayscale, RGB or RGBA, by their number.
        pixel_format: The layout of ``bytes``, as cameras give them.
        datatype: The type of the channels in ``bytes``, or a numpy dtype.
        bytes: The pixels as bytes; ``bytes`` objects are not copied.
        width: Width in pixels.
        height: Height in pixels.
        opacity: From 0, invisible, to 1, opaque.
        draw_order: What is drawn above what: higher values are on top.
        magnification_filter: How pixels are shown that are larger than those of the screen.

    Raises:
        ValueError: Arguments that do not make an image.

    Example:
        pixels = np.zeros((480, 640, 3), np.uint8)
        await rec.log("camera/image", rr.Image(pixels))
        await rec.log("camera/small", rr.Image(pixels).compress(jpeg_quality=80))
    """

    __slots__ = ()

    def __init__(
        self,
        image: ImageLike | None = None,
        color_model: ColorModelLike | None = None,
        *,
        pixel_format: PixelFormatLike | None = None,
        datatype: ChannelDatatypeLike | type | None = None,
        bytes: BlobLike | None = None,
        width: int | None = None,
        height: int | None = None,
        opacity: Float32Like | None = None,
        draw_order: Float32Like | None = None,
        magnification_filter: MagnificationFilterLike | None = None,
    ) -> None:
        try:
            if (image is None) == (bytes is None):
                raise ValueError("exactly one of `image` and `bytes` is needed")  # noqa: TRY301
            buffer: Any
            if image is not None:
                buffer, packed = self._from_array(image, color_model, width, height)
            else:
                buffer = _single_buffer(bytes)
                packed = _format_of_bytes(color_model, pixel_format, datatype, width, height)
        except Exception as error:
            raise told_of(type(self).__name__, error) from error
        self._capture(buffer, packed, opacity, draw_order, magnification_filter)

    def _from_array(self, image: Any, color_model: Any, width: Any, height: Any) -> tuple[Any, Packed]:
        array = converted("image", _pixels, image)
        model = None if color_model is None else _number("color_model", COLOR_MODEL, color_model)
        shape = array.shape
        if not (model is not None and len(shape) == 3 and shape[2] == _channels_of(model) > 1):
            shape = _without_units(shape, 2)
        if len(shape) not in (2, 3):
            raise ValueError(
                f"an image has 2 or 3 axes: height, width and channels. The shape is {array.shape}"
            )
        rows, columns = shape[0], shape[1]
        if width is not None and _size("width", width) != columns:
            raise ValueError(f"`width` is {width}, but the image is {columns} wide")
        if height is not None and _size("height", height) != rows:
            raise ValueError(f"`height` is {height}, but the image is {rows} high")
        channels = shape[2] if len(shape) == 3 else 1
        if model is None:
            model = _MODEL_OF_CHANNELS.get(channels)
            if model is None:
                self._report(ValueError(f"image: 1, 3 or 4 channels are possible, not {channels}"))
        elif channels != _channels_of(model):
            wanted = _channels_of(model)
            problem = f"color_model: {color_model} has {wanted} channels, but the image has {channels}"
            self._report(ValueError(problem))
        datatype = _datatype_of(array.dtype)
        if datatype is None:
            self._report(ValueError(f"image: pixels cannot be of dtype {array.dtype}"))
        return _own_bytes(array), _packed(columns, rows, None, model, datatype)

    def image_format(self) -> ImageFormat:
        """Size of the image, and what its pixels are."""
        from aiorerun.components import ImageFormat

        return ImageFormat(**_format(self))

    def as_pil_image(self) -> PILImage.Image:
        """The image as a Pillow image.

        Raises:
            ValueError: Its pixels are in a format Pillow does not know.
            ImportError: Pillow is not installed; ``pip install aiorerun[images]`` brings it.
        """
        array, model = _array_of(self)
        if model in ("BGR", "BGRA"):
            array = array[..., [2, 1, 0, 3][: array.shape[2]]]
        picture: PILImage.Image = _pillow().fromarray(array)
        return picture

    def compress(self, jpeg_quality: int = 95) -> EncodedImage | Image:
        """The image as JPEG, which takes much less space.

        Only 8-bit grayscale, RGB and BGR can be compressed. What cannot is reported and returned as it is.

        Args:
            jpeg_quality: From 0 to 100; higher is better and larger.

        Raises:
            ValueError: The image cannot be compressed, in strict mode.
            ImportError: Pillow is not installed; ``pip install aiorerun[images]`` brings it.
        """
        from aiorerun.archetypes.encoded_images import EncodedImage

        try:
            data = _jpeg(self, jpeg_quality)
        except (ValueError, OSError) as error:
            errors.report("Image.compress", error)
            return self
        return EncodedImage(
            contents=data,
            media_type="image/jpeg",
            **_kept(self, "opacity", "draw_order", "magnification_filter"),
        )


class DepthImage(DepthImageFields):
    """An image whose pixels are distances.

    Args:
        image: Distances of shape ``(height, width)``.
        meter: How many units make one meter.
        colormap: How distances are colored.
        depth_range: The range of distances the colors are spread over; by default found out from the data.
        point_fill_ratio: How much of the space between the points of the cloud is filled.
        draw_order: What is drawn above what: higher values are on top.
        magnification_filter: How pixels are shown that are larger than those of the screen.

    Raises:
        ValueError: It has not two axes, or its dtype is no number's.

    Example:
        millimeters = np.full((480, 640), 1500, np.uint16)
        await rec.log("camera/depth", rr.DepthImage(millimeters, meter=1000, colormap="turbo"))
    """

    __slots__ = ()

    def __init__(
        self,
        image: ImageLike,
        *,
        meter: Float32Like | None = None,
        colormap: ColormapLike | None = None,
        depth_range: Range1DLike | None = None,
        point_fill_ratio: Float32Like | None = None,
        draw_order: Float32Like | None = None,
        magnification_filter: MagnificationFilterLike | None = None,
    ) -> None:
        buffer, packed = _plane(self, image, "a depth image", "distances")
        self._capture(
            buffer,
            packed,
            meter,
            colormap,
            depth_range,
            point_fill_ratio,
            draw_order,
            magnification_filter,
        )

    def image_format(self) -> ImageFormat:
        """Size of the image, and what its pixels are."""
        from aiorerun.components import ImageFormat

        return ImageFormat(**_format(self))

    def as_pil_image(self) -> PILImage.Image:
        """The image as a Pillow image.

        Raises:
            ImportError: Pillow is not installed; ``pip install aiorerun[images]`` brings it.
        """
        array, _ = _array_of(self)
        picture: PILImage.Image = _pillow().fromarray(array)
        return picture

    def compress(self, compress_level: int = 6) -> EncodedDepthImage | DepthImage:
        """The image as PNG, without loss.

        Only 8-bit and 16-bit distances can be compressed. What cannot is reported and returned as it is.

        Args:
            compress_level: From 0, fast, to 9, small.

        Raises:
            ValueError: The image cannot be compressed, in strict mode.
            ImportError: Pillow is not installed; ``pip install aiorerun[images]`` brings it.
        """
        from aiorerun.archetypes.image import EncodedDepthImage

        try:
            data = _png(self, compress_level)
        except (ValueError, OSError) as error:
            errors.report("DepthImage.compress", error)
            return self
        return EncodedDepthImage(
            data,
            media_type="image/png",
            **_kept(
                self,
                "meter",
                "colormap",
                "depth_range",
                "point_fill_ratio",
                "draw_order",
                "magnification_filter",
            ),
        )


class SegmentationImage(SegmentationImageFields):
    """An image whose pixels are classes, which an annotation context gives names and colors.

    Args:
        image: Whole numbers of shape ``(height, width)``.
        opacity: From 0, invisible, to 1, opaque.
        draw_order: What is drawn above what: higher values are on top.

    Raises:
        ValueError: It has not two axes, or its dtype is no number's.

    Example:
        classes = np.zeros((480, 640), np.uint8)
        await rec.log("camera/classes", rr.SegmentationImage(classes, opacity=0.5))
    """

    __slots__ = ()

    def __init__(
        self, image: ImageLike, *, opacity: Float32Like | None = None, draw_order: Float32Like | None = None
    ) -> None:
        buffer, packed = _plane(self, image, "a segmentation image", "classes")
        self._capture(buffer, packed, opacity, draw_order)


def _plane(owner: Archetype, image: Any, what: str, content: str) -> tuple[Any, Packed]:
    """The pixels and the format of an image with one number per pixel."""
    try:
        array = _pixels(image)
        shape = _without_units(array.shape, 2)
        if len(shape) != 2:
            raise ValueError(f"{what} has 2 axes: height and width. The shape is {array.shape}")  # noqa: TRY301
        datatype = _datatype_of(array.dtype)
        if datatype is None:
            raise ValueError(f"{content} cannot be of dtype {array.dtype}")  # noqa: TRY301
    except Exception as error:
        raise told_of(f"{type(owner).__name__}: image", error) from error
    return _own_bytes(array), _packed(shape[1], shape[0], None, None, datatype)


def texture(image: Any) -> tuple[Any, Packed]:
    """The pixels and the format of the texture of a mesh.

    Raises:
        ValueError: It has not three axes and 3 or 4 channels, or its dtype is no number's.
    """
    array = _pixels(image)
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise ValueError(f"a texture has the shape (height, width, 3 or 4), not {array.shape}")
    datatype = _datatype_of(array.dtype)
    if datatype is None:
        raise ValueError(f"a texture cannot be of dtype {array.dtype}")
    height, width, channels = array.shape
    return _own_bytes(array), _packed(width, height, None, _MODEL_OF_CHANNELS[channels], datatype)


def _pixels(image: Any) -> npt.NDArray[Any]:
    """What was given as an array in little-endian order; it may still be the user's own."""
    import numpy as np

    array = image if type(image) is np.ndarray else np.asarray(plain_array(image))
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return array


def _datatype_of(dtype: Any) -> int | None:
    """The number of the channel datatype for a dtype, if there is one."""
    try:
        return _known_dtypes[dtype]
    except KeyError:
        # The name of a dtype takes several times as long to find out as the dtype itself to look up.
        found = _known_dtypes[dtype] = _DATATYPES.get(dtype.name)
        return found


def _own_bytes(array: npt.NDArray[Any]) -> Any:
    """The one copy that is made of pixels."""
    from aiorerun.types.pool import MIN_BYTES, copied_bytes

    return array.tobytes() if array.nbytes < MIN_BYTES else OwnBytes(copied_bytes(array))


def _without_units(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """A shape without axes of length 1 at its ends, as long as it has more axes than needed."""
    while len(shape) > axes and shape[0] == 1:
        shape = shape[1:]
    while len(shape) > axes and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _channels_of(model: int) -> int:
    return next(_CHANNELS[name] for name, number in _MODELS.items() if number == model)


def _number(name: str, encoding: Any, value: Any) -> int:
    """The number of a member of an enum, however it was given."""
    shape, data = converted(name, encoding.capture, value)
    if shape != FIXED:
        raise ValueError(f"{name}: exactly one {encoding.name} is needed, not {value!r}")
    number: int = data[0]
    return number


def _size(name: str, value: Any) -> int:
    """Width or height in pixels."""
    size: int = converted(name, operator.index, value)
    if not 0 <= size < 1 << 32:
        raise ValueError(f"{name}: {size} is no number of pixels")
    return size


@lru_cache(maxsize=256, typed=True)
def _packed(
    width: int, height: int, pixel_format: int | None, model: int | None, datatype: int | None
) -> Packed:
    return Packed(
        pack_image_format(
            width,
            height,
            pixel_format is not None,
            pixel_format or 0,
            model is not None,
            model or 0,
            datatype is not None,
            datatype or 0,
        )
    )


def _format_of_bytes(color_model: Any, pixel_format: Any, datatype: Any, width: Any, height: Any) -> Packed:
    if width is None or height is None:
        raise ValueError("`bytes` need `width` and `height`")
    size = _size("width", width), _size("height", height)
    if pixel_format is not None:
        if datatype is not None:
            raise ValueError("`pixel_format` and `datatype` exclude each other")
        if color_model is not None:
            raise ValueError("`pixel_format` and `color_model` exclude each other")
        return _packed(*size, _number("pixel_format", PIXEL_FORMAT, pixel_format), None, None)
    if datatype is None or color_model is None:
        raise ValueError("`bytes` need `pixel_format`, or both `color_model` and `datatype`")
    return _packed(*size, None, _number("color_model", COLOR_MODEL, color_model), _datatype(datatype))


def _datatype(value: Any) -> int:
    import numpy as np

    if isinstance(value, type | np.dtype):
        name = converted("datatype", np.dtype, value).name
        if name not in _DATATYPES:
            raise ValueError(f"datatype: pixels cannot be of dtype {name}")
        return _DATATYPES[name]
    return _number("datatype", CHANNEL_DATATYPE, value)


def _single_buffer(value: Any) -> Any:
    """Bytes of one image, whatever the number of axes they come in."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return _pixels(value).tobytes()
    return value


def _format(image: Any) -> dict[str, Any]:
    """What the format component says."""
    captured = image._captured(image.FIELDS[1])
    if captured is None:
        raise ValueError("the image has no format")
    batch = image.format.as_arrow_array()
    if len(batch) != 1:
        raise ValueError("the image has no format")
    values: dict[str, Any] = batch[0].as_py()
    return values


def _array_of(image: Any) -> tuple[npt.NDArray[Any], str | None]:
    """The pixels with their shape, and the name of the color model."""
    described = _format(image)
    if described["pixel_format"] is not None:
        name = next(k for k, v in PIXEL_FORMAT.variants.items() if v == described["pixel_format"])
        raise ValueError(f"images in pixel format {name} cannot be converted")
    shape, data = image._captured(image.FIELDS[0])
    if shape != BLOB or described["channel_datatype"] is None:
        raise ValueError("the image has no pixels, or none of a known type")
    number = described["color_model"]
    model = None if number is None else next(name for name, value in _MODELS.items() if value == number)
    channels = 1 if model is None else _CHANNELS[model]
    import numpy as np

    array = np.frombuffer(data, _DTYPES[described["channel_datatype"]])
    size = (described["height"], described["width"])
    return array.reshape(size if channels == 1 else (*size, channels)), model


def _kept(image: Any, *fields: str) -> dict[str, Any]:
    """Fields that stay as they are when an image is compressed."""
    return {name: getattr(image, name) for name in fields}


def _jpeg(image: Image, quality: int) -> bytes:
    array, model = _array_of(image)
    if model not in ("L", "RGB", "BGR"):
        raise ValueError(f"an image of {model} cannot be JPEG: only L, RGB and BGR can")
    if array.dtype.name != "uint8":
        raise ValueError(f"an image of {array.dtype} cannot be JPEG: only uint8 can")
    return _encoded(array[..., ::-1] if model == "BGR" else array, "JPEG", quality=quality)


def _png(image: DepthImage, level: int) -> bytes:
    array, _ = _array_of(image)
    if array.dtype.name not in ("uint8", "uint16"):
        raise ValueError(f"a depth image of {array.dtype} cannot be PNG: only uint8 and uint16 can")
    return _encoded(array, "PNG", compress_level=level)


def _pillow() -> Any:
    try:
        from PIL import Image as pillow  # noqa: N813 - a module in all but name
    except ImportError as error:
        raise ImportError("Pillow is needed for this: pip install 'aiorerun[images]'") from error
    return pillow


def _encoded(array: npt.NDArray[Any], kind: str, **options: Any) -> bytes:
    import io

    import numpy as np

    target = io.BytesIO()
    _pillow().fromarray(np.ascontiguousarray(array)).save(target, kind, **options)
    return target.getvalue()
