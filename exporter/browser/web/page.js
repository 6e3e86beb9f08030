// The page: choose a photograph, see it restored by the bundle's own file, compare.

import { readManifest, readModel, sizesOf, unfit } from "./bundle.js";
import { lookAt } from "./colours.js";
import { Engine } from "./engine.js";
import { restored, scaleOf } from "./restore.js";

const MOST_PIXELS = 40e6, MOST_SIDE = 16384, MOST_THREADS = 4;
const at = (id) => document.getElementById(id);
const canvas = { before: at("before"), after: at("after") };
const drawing = (which) => canvas[which].getContext("2d", { willReadFrequently: true });
const seconds = (ms) => (ms < 9950 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)) + " s";

let manifest, models, loaded, current = 0, name = "";

function say(sentence) {
  at("status").textContent = sentence;
}

function fail(error) {
  const sentence = error instanceof Error ? error.message : String(error);
  at("error").textContent = /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
  at("error").hidden = false;
  at("tile").hidden = true;
  at("stop").hidden = true;
  say("");
}

function remark(...sentences) {
  at("remarks").textContent = sentences.filter(Boolean).join(" ");
  at("remarks").hidden = !at("remarks").textContent;
}

// The engine with the chosen file in it, made anew when another is chosen.
async function engineFor(model, accelerator) {
  if (loaded?.model === model && loaded.accelerator === accelerator) return loaded;
  loaded?.engine.end();
  loaded = undefined;
  const engine = new Engine(), threads = Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1);
  try {
    const { bytes, checked } = await readModel(model);
    const runs = await engine.start("litert/", accelerator, threads);
    const found = await engine.load(bytes, accelerator, runs.threads);
    loaded = { model, accelerator, engine, runs, checked, ...found, sizes: sizesOf(model, manifest) };
    return loaded;
  } catch (error) {
    engine.end();
    throw new Error(`${model.file} cannot be run in this browser: ${error.message}`);
  }
}

function describeEngine({ runs, model, checked, whole }) {
  const where = runs.adapter ? `WebGPU on ${runs.adapter}` : `WebAssembly, ${runs.simd}, ${runs.threads === 1 ? "1 thread" : `${runs.threads} threads`}`;
  at("engine").textContent = `${model.file} on LiteRT, ${where}.`;
  const { denoise, only_blurred } = manifest.processing;
  remark(
    runs.adapter && !whole && "The GPU does not take every operator of this file: what it leaves runs on the processor.",
    denoise && "An app denoises first (non-local means); this page does not.",
    only_blurred && "An app leaves tiles that are sharp as they are; this page restores all.",
    !runs.adapter && runs.threads === 1 && !crossOriginIsolated && "This server does not let the page have threads: exporter serve does.",
    !checked && "The file was not held against its digest: browsers do that on this machine or over TLS alone.",
  );
}

async function decoded(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    throw new Error(`${file.name || "What was pasted"} cannot be opened as a picture here: PNG, JPEG, WebP or BMP would do.`);
  }
  const { width, height } = bitmap, scale = Math.max(...models.map((model) => scaleOf(sizesOf(model, manifest)[0])));
  if (width * height * scale * scale > MOST_PIXELS || Math.max(width, height) * scale > MOST_SIDE) {
    bitmap.close();
    const most = Math.floor(MOST_PIXELS / scale / scale / 1e6);
    throw new Error(`${file.name || "The picture"} has ${width}×${height} px: this page takes up to ${most} megapixels, exporter run takes more.`);
  }
  canvas.before.width = width;
  canvas.before.height = height;
  const context = drawing("before");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

function lay(photo, scale) {
  canvas.after.width = photo.width * scale;
  canvas.after.height = photo.height * scale;
  const { style } = at("frame");
  style.setProperty("--width", photo.width * scale);
  style.setProperty("--height", photo.height * scale);
  at("result").hidden = false;
  document.body.classList.add("shown");
}

function outline({ row, column }, { size, scale }) {
  const [height, width] = size.tiling.tile_px, { style } = at("tile");
  const share = (pixels, all) => `${(100 * pixels * scale) / all}%`;
  style.left = share(column.start, canvas.after.width);
  style.top = share(row.start, canvas.after.height);
  style.width = share(Math.min(width, canvas.after.width / scale - column.start), canvas.after.width);
  style.height = share(Math.min(height, canvas.after.height / scale - row.start), canvas.after.height);
  at("tile").hidden = false;
}

// A tile as soon as it is there, up to the middle of its overlaps; finished rows are drawn over it.
function sketch({ row, column, values }, { size, scale, channels, colour }) {
  const range = (span) => [span.shares.findIndex((share) => share >= 0.5), span.shares.findLastIndex((share) => share >= 0.5) + 1];
  const [[top, bottom], [left, right]] = [range(row), range(column)];
  const width = (right - left) * scale, stride = size.tiling.tile_px[1] * scale;
  const image = new ImageData(width, (bottom - top) * scale);
  for (let y = 0; y < image.height; y++) {
    lookAt(values, ((top * scale + y) * stride + left * scale) * channels, channels, colour, image.data, y * width * 4, width);
  }
  drawing("after").putImageData(image, (column.start + left) * scale, (row.start + top) * scale);
}

function draw({ top, rows, values }, { channels, colour }) {
  if (!rows) return;
  const image = new ImageData(canvas.after.width, rows);
  lookAt(values, 0, channels, colour, image.data, 0, image.width * rows);
  drawing("after").putImageData(image, 0, top);
}

function slide(percent) {
  at("slider").value = percent;
  at("frame").style.setProperty("--at", `${at("slider").value}%`);
}

let photo;

async function restore() {
  const mine = ++current, wanted = () => mine === current;
  at("error").hidden = true;
  at("save").disabled = true;
  at("frame").classList.remove("done");
  try {
    say("Loading the engine …");
    const model = models[at("model").value];
    const ready = await engineFor(model, at("accelerator").value);
    if (!wanted()) return;
    describeEngine(ready);
    let plan, done = 0, spent_ms = 0;
    for await (const step of restored(photo, ready, wanted)) {
      if (!wanted()) return;
      if (step.began) {
        plan = step.began;
        lay(photo, plan.scale);
        slide(0);
        at("progress").max = plan.tiles;
        at("progress").value = 0;
        at("progress").hidden = at("stop").hidden = false;
      } else if (step.doing) {
        outline(step.doing, plan);
        say(`Tile ${done + 1} of ${plan.tiles} …`);
      } else if (step.tile) {
        sketch(step.tile, plan);
        spent_ms = step.tile.spent_ms;
        at("progress").value = ++done;
      } else draw(step.finished, plan);
    }
    if (wanted()) finish(plan, spent_ms);
  } catch (error) {
    if (wanted()) fail(error);
  }
}

function finish({ tiles, size }, spent_ms) {
  const [height, width] = size.tiling.tile_px;
  const each = tiles === 1 ? "" : `, ${Math.round(spent_ms / tiles)} ms each`;
  const from = `${canvas.before.width}×${canvas.before.height}`, to = `${canvas.after.width}×${canvas.after.height}`;
  say(`${from === to ? from : `${from} → ${to}`} px in ${seconds(spent_ms)}: ${tiles === 1 ? "one tile" : `${tiles} tiles`} of ${width}×${height} px${each}.`);
  at("tile").hidden = at("progress").hidden = at("stop").hidden = true;
  at("save").disabled = false;
  at("frame").classList.add("done");
  slide(50);
}

async function take(file) {
  if (!file) return;
  const mine = ++current, shown = at("frame").classList.contains("done");
  at("frame").classList.remove("done");
  at("error").hidden = true;
  try {
    const opened = await decoded(file);
    if (mine !== current) return; // another one came meanwhile
    [photo, name] = [opened, file.name || "photograph"];
  } catch (error) {
    if (mine !== current) return;
    at("frame").classList.toggle("done", shown); // what was there stays
    fail(error);
    return;
  }
  lay(photo, 1);
  slide(0);
  at("progress").hidden = true;
  await restore();
}

function save() {
  canvas.after.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name.replace(/\.[^.]*$/, "")}.restored.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, "image/png");
}

function stop() {
  current++;
  at("tile").hidden = at("stop").hidden = at("progress").hidden = true;
  say("Stopped. What was not reached yet is as it was.");
  slide(0);
}

function listen() {
  at("file").addEventListener("change", ({ target }) => {
    take(target.files[0]);
    target.value = ""; // the same file once more is a change, too
  });
  addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files][0]));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
  addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || at("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
  at("slider").addEventListener("input", ({ target }) => slide(target.value));
  at("zoom").addEventListener("click", ({ target }) => {
    const is = at("frame").classList.toggle("actual");
    target.setAttribute("aria-pressed", String(is));
  });
  at("save").addEventListener("click", save);
  at("stop").addEventListener("click", stop);
  at("settings").addEventListener("change", () => photo && restore());
}

async function offerGpu() {
  if (!("Suspending" in WebAssembly) || !(await navigator.gpu?.requestAdapter().catch(() => null))) return;
  at("accelerator").add(new Option("graphics processor (WebGPU)", "webgpu"));
}

async function begin() {
  at("unstarted").hidden = true;
  try {
    manifest = await readManifest();
    models = manifest.models.filter((model) => !unfit(model));
    document.title = `${manifest.name} ${manifest.version}`;
    at("name").textContent = manifest.name;
    at("about").textContent = [manifest.version, manifest.description].filter(Boolean).join(" · ");
    if (!models.length) {
      const [model] = manifest.models.filter(({ format }) => format === "tflite");
      throw new Error(model ? `${model.file} does not take photographs: ${unfit(model)}.` : "This bundle holds no .tflite, and the page runs nothing else.");
    }
    for (const [place, model] of models.entries()) at("model").add(new Option(model.file.split("/").pop(), place));
    const int8 = models.findIndex(({ precision }) => precision === "int8");
    at("model").value = Math.max(int8, 0);
    await offerGpu();
    listen();
    at("drop").hidden = at("settings").hidden = false;
    document.body.dataset.ready = "";
  } catch (error) {
    fail(error);
  }
}

begin();
