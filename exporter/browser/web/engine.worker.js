// LiteRT in a worker: one file, loaded once; tensors in, tensors out, bytes as the file stores them.
//
// Only the WebAssembly module of @litertjs/core is used, through the interface that its own types name LiteRtWasm. The
// package's classes around it know neither int8 nor int16 (2.5.3), and INT8 files are what phones ship.
"use strict";

// Two modules that say nothing: whether they compile tells whether the browser has relaxed SIMD and plain SIMD.
const RELAXED_SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11];

let wasm, environment, device, wasmModel, compiled;
let refusal = false; // the engine says which operators the GPU leaves, and calls the file fully accelerated all the same

const heard = (line) => {
  refusal ||= line.includes("not supported by GPU delegate");
  console.error(line);
};

const compiles = (bytes) => WebAssembly.validate(new Uint8Array(bytes));

function listOf(vector) {
  const items = Array.from({ length: vector.size() }, (_, place) => vector.get(place));
  vector.delete();
  return items;
}

async function gpuDevice() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("this browser offers no WebGPU here");
  const limits = ["maxBufferSize", "maxStorageBufferBindingSize", "maxStorageBuffersPerShaderStage", "maxTextureDimension2D"];
  const features = ["shader-f16", "subgroups"].filter((feature) => adapter.features.has(feature));
  const opened = await adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
  });
  const { vendor, architecture, description } = adapter.info;
  return [opened, [vendor, architecture, description].filter(Boolean).join(" "), features];
}

// Which of the package's builds this browser can run, and with how many threads.
async function start({ engine, accelerator, threads }) {
  const relaxed = compiles(RELAXED_SIMD), isolated = self.crossOriginIsolated;
  const gpu = accelerator === "webgpu";
  if (gpu && !("Suspending" in WebAssembly)) throw new Error("WebGPU wants a browser with JSPI");
  const threaded = !gpu && relaxed && isolated && threads > 1;
  const build = gpu ? "jspi_" : !relaxed ? "compat_" : threaded ? "threaded_" : "";
  const script = `${engine}litert_wasm_${build}internal.js`;
  const [opened, adapter, features] = gpu ? await gpuDevice() : [null, "", []];
  device = opened;
  importScripts(script);
  wasm = await self.ModuleFactory({ locateFile: (name) => engine + name, mainScriptUrlOrBlob: script, printErr: heard });
  wasm.setupLogging();
  environment = wasm.LiteRtEnvironment.create(device);
  const counted = threaded ? Math.min(threads, wasm.getThreadCount()) : 1;
  return { build: script.split("/").pop(), simd: relaxed ? "relaxed SIMD" : "no relaxed SIMD", threads: counted, adapter, features };
}

function described(signature, names, typeOf) {
  return names.map((name, place) => {
    const type = typeOf.call(wasmModel, signature, place), layout = type.layout();
    const shape = listOf(layout.dimensions()), element = type.elementType().value;
    layout.delete();
    type.delete();
    return { name, shape, element };
  });
}

async function load({ model, accelerator, threads, precision }) {
  const bytes = new Uint8Array(model), place = wasm._malloc(bytes.length);
  wasm.HEAPU8.set(bytes, place);
  wasmModel = wasm.loadModel(environment, place, bytes.length);
  const options = {
    accelerator,
    cpuOptions: { numThreads: threads },
    gpuOptions: precision ? { precision } : {},
    webNNOptions: {},
  };
  compiled = await wasm.compileModel(environment, wasmModel, options);
  const signatures = Array.from({ length: wasmModel.getNumSignatures() }, (_, number) => {
    const signature = wasmModel.getSignature(number);
    const ends = {
      key: signature.key(),
      inputs: described(number, listOf(signature.inputNames()), wasmModel.getInputTensorType),
      outputs: described(number, listOf(signature.outputNames()), wasmModel.getOutputTensorType),
    };
    signature.delete();
    return ends;
  });
  // Of WebAssembly: whether XNNPACK took every operator.
  return { signatures, whole: compiled.isFullyAccelerated() && !refusal };
}

function stored(signature, place, values) {
  const type = wasmModel.getInputTensorType(signature, place);
  const buffer = wasm.LiteRtTensorBuffer.createManaged(environment, wasm.LiteRtTensorBufferType.HOST_MEMORY, type, values.byteLength);
  type.delete();
  const at = buffer.lock(wasm.LiteRtTensorBufferLockMode.WRITE);
  wasm.HEAPU8.set(new Uint8Array(values), at);
  buffer.unlock();
  return buffer;
}

async function read(buffer) {
  if (buffer.isWebGpuMemory()) return readFromGpu(buffer);
  const at = buffer.lock(wasm.LiteRtTensorBufferLockMode.READ);
  const bytes = wasm.HEAPU8.slice(at, at + buffer.packedSize());
  buffer.unlock();
  return bytes.buffer;
}

async function readFromGpu(buffer) {
  const source = wasm.WebGPU.getJsObject(buffer.getWebGpuBuffer());
  const copy = device.createBuffer({ size: source.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const commands = device.createCommandEncoder();
  commands.copyBufferToBuffer(source, 0, copy, 0, source.size);
  device.queue.submit([commands.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const bytes = copy.getMappedRange().slice(buffer.offset(), buffer.offset() + buffer.packedSize());
  copy.destroy();
  return bytes;
}

async function run({ signature = 0, inputs, runs = 0, warmup = 0 }) {
  const fed = inputs.map((values, place) => stored(signature, place, values));
  const times = [];
  let made = [];
  for (let call = 0; call < warmup + Math.max(runs, 1); call++) {
    made.forEach((buffer) => buffer.delete());
    const began = performance.now();
    made = await compiled.run(signature, fed);
    if (device) await device.queue.onSubmittedWorkDone(); // the call alone only queues
    if (call >= warmup && runs) times.push(performance.now() - began);
  }
  const outputs = runs ? [] : await Promise.all(made.map(read));
  [...fed, ...made].forEach((buffer) => buffer.delete());
  return { outputs, times };
}

const DOES = { start, load, run };

// A C++ exception arrives as a number or an object without words.
const inWords = (error) => String(error?.message || error?.name || error);

self.onmessage = async ({ data: { id, what, ...asked } }) => {
  try {
    const answer = await DOES[what](asked);
    self.postMessage({ id, answer }, answer.outputs ?? []);
  } catch (error) {
    self.postMessage({ id, error: inWords(error) });
  }
};
