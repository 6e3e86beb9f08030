// Photographs are RGBA pixels in a canvas; a file takes and gives the channels of its colour (exporter/data/colour.py).

import { rounded, toPixel } from "./numbers.js";

const LUMA = [0.299, 0.587, 0.114].map(Math.fround);
const VIDEO_LUMA = [65.481, 128.553, 24.966].map((part) => Math.fround(Math.fround(part) / 255));
const VIDEO_BLACK = Math.fround(16 / 255);
const VIDEO_SPAN = VIDEO_LUMA.reduce((sum, part) => Math.fround(sum + part), 0);

const weighted = (weights, r, g, b) => (weights[0] * r + weights[1] * g + weights[2] * b) / 255;
const grey = (r, g, b) => (r === g && g === b ? r : rounded(weighted(LUMA, r, g, b) * 255));
const luma = (r, g, b) => rounded((weighted(VIDEO_LUMA, r, g, b) + VIDEO_BLACK) * 255);

// Pixels of the colour, 8 bits each, one channel beside the other.
export function inColour(rgba, colour) {
  const count = rgba.length / 4, channels = { rgb: 3, bgr: 3, rgba: 4, grey: 1, y: 1 }[colour];
  const pixels = new Uint8Array(count * channels);
  for (let i = 0, from = 0, to = 0; i < count; i++, from += 4) {
    const r = rgba[from], g = rgba[from + 1], b = rgba[from + 2];
    if (channels === 1) pixels[to++] = colour === "y" ? luma(r, g, b) : grey(r, g, b);
    else {
      pixels[to++] = r;
      pixels[to++] = g;
      pixels[to++] = b;
      if (channels === 4) pixels[to++] = 255;
    }
  }
  return { pixels, channels };
}

// `count` values in 0..1 from `from` on, `channels` each, as RGBA pixels from `to` on.
export function lookAt(values, from, channels, colour, rgba, to, count) {
  for (let i = 0; i < count; i++, from += channels, to += 4) {
    if (channels === 1) {
      let shade = toPixel(values[from]);
      if (colour === "y") shade = toPixel(Math.fround(Math.fround(Math.fround(shade / 255) - VIDEO_BLACK) / VIDEO_SPAN));
      rgba[to] = rgba[to + 1] = rgba[to + 2] = shade;
    } else for (let channel = 0; channel < 3; channel++) rgba[to + channel] = toPixel(values[from + channel]);
    rgba[to + 3] = 255;
  }
}
