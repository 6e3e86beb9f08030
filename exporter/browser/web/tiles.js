// Where tiles lie and how they are put together: manifest.tiling, as exporter/tiling says it in Python.

const f32 = Math.fround;

const step = (side, tiling) => Math.floor((side - 2 * tiling.halo_px) / tiling.multiple_px) * tiling.multiple_px;

function starts(extent, side, tiling) {
  const last = Math.ceil(extent / tiling.multiple_px) * tiling.multiple_px - side;
  if (last <= 0) return [0];
  const found = [];
  for (let start = 0; start < last; start += step(side, tiling)) found.push(start);
  return [...found, last];
}

function ramp(pixel, meeting, blend) {
  if (blend === 0) return pixel >= meeting ? 1 : 0;
  return Math.min(1, Math.max(0, f32(f32(f32(pixel + 0.5 - meeting) / blend) + 0.5)));
}

// Tiles along one axis: the first pixel of each, and the share that each of its pixels has in the result.
export function spans(extent, side, tiling) {
  const found = starts(extent, side, tiling);
  const meetings = found.slice(1).map((after, i) => Math.floor((found[i] + side + after) / 2));
  return found.map((start, i) => {
    const shares = new Float32Array(side).fill(1);
    for (let p = 0; p < side; p++) {
      if (i) shares[p] = ramp(start + p, meetings[i - 1], tiling.blend_px);
      if (i < meetings.length) shares[p] = shares[p] * f32(1 - ramp(start + p, meetings[i], tiling.blend_px));
    }
    return { start, shares };
  });
}

export const count = (height, width, tiling) =>
  starts(height, tiling.tile_px[0], tiling).length * starts(width, tiling.tile_px[1], tiling).length;

// Which of several sizes a picture goes through: the smallest that holds it whole, else the fewest computed pixels, of
// equals the largest.
export function bestSize(sizes, height, width) {
  const cost = sizes.map((size) => {
    const area = size.tiling.tile_px[0] * size.tiling.tile_px[1], tiles = count(height, width, size.tiling);
    return { size, whole: tiles === 1, computed: tiles * area, area };
  });
  const whole = cost.filter((one) => one.whole);
  return (whole.length ? whole : cost).reduce((best, one) =>
    one.computed < best.computed || (one.computed === best.computed && one.area > best.area) ? one : best,
  ).size;
}

// Where the pixels from `start` on are found in a picture `extent` px long: what lies beyond it mirrors it.
function mirrored(start, length, extent) {
  return Int32Array.from({ length }, (_, i) => {
    const place = (start + i) % (2 * extent);
    return Math.min(place, 2 * extent - 1 - place);
  });
}

// One tile of `picture` as `table` stores its pixels, channels last or first.
export function cut(picture, row, column, tiling, table, layout) {
  const [height, width] = tiling.tile_px, { channels, pixels } = picture;
  const down = mirrored(row.start, height, picture.height), across = mirrored(column.start, width, picture.width);
  const tile = new table.constructor(height * width * channels);
  const first = layout === "NCHW";
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (down[y] * picture.width + across[x]) * channels;
      for (let c = 0; c < channels; c++, at++) {
        tile[first ? (c * height + y) * width + x : at] = table[pixels[from + c]];
      }
    }
  }
  return tile;
}

// Rows that are finished come out of `add` as soon as no later tile changes them.
export class Strips {
  #rows; #columns; #scale; #channels; #width; #height; #tile; #strip; #pending = new Float32Array(0); #pendingRows = 0; #top = 0;

  constructor(rows, columns, tiling, scale, channels, height, width) {
    [this.#rows, this.#columns, this.#tile, this.#scale, this.#channels] = [rows, columns, tiling.tile_px, scale, channels];
    [this.#height, this.#width] = [height * scale, width * scale];
  }

  // `values`: the tile at (r, c), channels last. Gives { top, rows, values } when it was the last of its row.
  add(r, c, values) {
    const [tileHeight, tileWidth] = this.#tile.map((side) => side * this.#scale), n = this.#channels;
    if (c === 0) this.#strip = new Float32Array(tileHeight * this.#width * n);
    const column = this.#columns[c], left = column.start * this.#scale;
    const kept = Math.min(tileWidth, this.#width - left);
    for (let y = 0; y < tileHeight; y++) {
      for (let x = 0; x < kept; x++) {
        const share = column.shares[Math.floor(x / this.#scale)];
        const from = (y * tileWidth + x) * n, to = (y * this.#width + left + x) * n;
        for (let k = 0; k < n; k++) this.#strip[to + k] += f32(values[from + k] * share);
      }
    }
    return c + 1 === this.#columns.length ? this.#finish(r, tileHeight) : null;
  }

  #finish(r, tileHeight) {
    const row = this.#rows[r], line = this.#width * this.#channels, strip = this.#strip;
    for (let y = 0; y < tileHeight; y++) {
      const share = row.shares[Math.floor(y / this.#scale)];
      if (share !== 1) for (let i = y * line; i < (y + 1) * line; i++) strip[i] *= share;
    }
    for (let i = 0; i < this.#pending.length; i++) strip[i] += this.#pending[i];
    const next = this.#rows[r + 1], end = next ? next.start * this.#scale : this.#height;
    const done = Math.max(0, Math.min(end, this.#height) - row.start * this.#scale);
    const finished = { top: this.#top, rows: done, values: strip.subarray(0, done * line) };
    this.#pending = strip.subarray(done * line);
    this.#top += done;
    return finished;
  }
}
