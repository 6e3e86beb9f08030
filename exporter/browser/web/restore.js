// One photograph through one file, tile by tile.

import { inColour } from "./colours.js";
import { real, storedPixels } from "./numbers.js";
import { Strips, bestSize, cut, spans } from "./tiles.js";

const sides = (tensor) => (tensor.layout === "NCHW" ? tensor.shape.slice(2) : tensor.shape.slice(1, 3));
const channelsOf = (tensor) => tensor.shape[tensor.layout === "NCHW" ? 1 : 3];
export const scaleOf = (size) => sides(size.output)[0] / sides(size.input)[0];

function channelsLast(values, tensor) {
  if (tensor.layout !== "NCHW") return values;
  const n = channelsOf(tensor), plane = values.length / n, turned = new Float32Array(values.length);
  for (let c = 0; c < n; c++) for (let i = 0; i < plane; i++) turned[i * n + c] = values[c * plane + i];
  return turned;
}

// `photo`: ImageData. `loaded`: { engine, signatures, sizes }. Yields what has become of it, in order:
// { began }, the plan; { doing }, the tile that is computed; { tile }, its values; { finished }, rows that are final.
export async function* restored(photo, { engine, signatures, sizes }, wanted) {
  const size = bestSize(sizes, photo.height, photo.width), { tiling } = size;
  const given = size.input.colour ?? "rgb", made = size.output.colour ?? "rgb";
  const picture = { ...inColour(photo.data, given), height: photo.height, width: photo.width };
  const rows = spans(photo.height, tiling.tile_px[0], tiling), columns = spans(photo.width, tiling.tile_px[1], tiling);
  const scale = scaleOf(size), channels = channelsOf(size.output), table = storedPixels(size.input);
  const signature = Math.max(0, signatures.findIndex(({ key }) => key === size.name));
  const strips = new Strips(rows, columns, tiling, scale, channels, photo.height, photo.width);
  yield { began: { size, tiles: rows.length * columns.length, scale, channels, colour: made } };
  let spent_ms = 0;
  for (const [r, row] of rows.entries()) {
    for (const [c, column] of columns.entries()) {
      if (!wanted()) return;
      yield { doing: { row, column } };
      const tile = cut(picture, row, column, tiling, table, size.input.layout);
      const began = performance.now();
      const [answer] = await engine.run([tile.buffer], signature);
      spent_ms += performance.now() - began;
      const values = channelsLast(real(size.output, answer), size.output);
      if (!values.every(Number.isFinite)) throw new Error("The file gave a number that is none (NaN or infinity) for this photograph.");
      yield { tile: { row, column, values, spent_ms } };
      const finished = strips.add(r, c, values);
      if (finished) yield { finished };
    }
  }
}
