"""Per-sample gradient clipping in one backward pass.

DP-SGD needs, for every image, its own gradient's length, and then the sum of all gradients, each shortened to the
clipping norm. Computing the gradients one by one is slow, keeping them all needs tens of megabytes an image. But a
layer's gradient is made of two things that an ordinary backward pass has at hand anyway: what went into the layer
and the gradient that came back to its output. So:

1. one forward pass, in which each layer remembers its input;
2. one backward pass that carries gradients through the layers but not into their parameters. Each layer keeps what
   it needs to know the *length* of each image's gradient, by the cheaper of two ways (``convolution.py``);
3. from all layers' lengths together, each image's factor min(1, C / length);
4. one product a layer that sums the gradients with these factors.

Ordinary training does 1, 2 and the product of 4 without factors; what is left as extra is finding lengths.

Sources: Goodfellow 2015 (arXiv:1510.01799) for fully connected layers; Rochette, Manoel, Tramel 2019
(arXiv:1912.06015) for convolutions; Li et al. 2022 (arXiv:2110.05679) and Bu, Mao, Xu 2022 (arXiv:2205.10683) for
lengths from inner products, layer by layer; Bu et al. 2023 (arXiv:2210.00038) for doing it in one backward pass.
"""
