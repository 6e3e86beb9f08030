// Pixels as a file stores them, and back: single precision and halves to even, as exporter/runtimes has it.

const f32 = Math.fround;

// To the nearest whole number, halves to the even one.
export function rounded(value) {
  const down = Math.floor(value), rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

const ARRAYS = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array };
const CODES = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767] };

export const arrayOf = (tensor) => {
  const found = ARRAYS[tensor.dtype];
  if (!found) throw new Error(`This page does not feed tensors of ${tensor.dtype}.`);
  return found;
};

// What each of the 256 values of a pixel is in `tensor`.
export function storedPixels(tensor) {
  const table = new (arrayOf(tensor))(256);
  for (let pixel = 0; pixel < 256; pixel++) {
    const real = f32(pixel / 255);
    if (tensor.scale === null) table[pixel] = real;
    else {
      const [low, high] = CODES[tensor.dtype];
      const code = rounded(f32(real / f32(tensor.scale))) + tensor.zero_point;
      table[pixel] = Math.min(high, Math.max(low, code));
    }
  }
  return table;
}

// Real values of what came out.
export function real(tensor, buffer) {
  const stored = new (arrayOf(tensor))(buffer);
  if (tensor.scale === null) return stored;
  const scale = f32(tensor.scale), values = new Float32Array(stored.length);
  for (let i = 0; i < stored.length; i++) values[i] = (stored[i] - tensor.zero_point) * scale;
  return values;
}

// 0..1 as a pixel: cut, rounded to nearest.
export const toPixel = (value) => Math.trunc(f32(f32(Math.min(1, Math.max(0, value)) * 255) + 0.5));
