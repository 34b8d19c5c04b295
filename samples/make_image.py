"""Make samples/image from the digits that scikit-learn carries: python samples/make_image.py"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parent / "image"


def main() -> None:
    """Write each digit as LABEL/ID.png, 16 grey levels spread over 0 to 255, ID its row in the original file."""
    digits = load_digits()
    for row, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        folder = FOLDER / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.rint(pixels * (255 / 16)).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{row:04d}.png", optimize=True)


if __name__ == "__main__":
    main()
