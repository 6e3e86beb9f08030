// What the runtime `litert_web` calls: the page's engine, its tensors as base64.

import { Engine } from "./engine.js";

const engine = new Engine();
const bytes = (text) => Uint8Array.fromBase64(text).buffer;
const text = (buffer) => new Uint8Array(buffer).toBase64();

globalThis.job = {
  async start(accelerator, threads, precision) {
    const runs = await engine.start("litert/", accelerator, threads);
    const answer = await fetch("model.tflite");
    if (!answer.ok) throw new Error(`the file was not served: ${answer.status}`);
    const loaded = await engine.load(await answer.arrayBuffer(), accelerator, runs.threads, precision);
    return { ...runs, ...loaded };
  },
  async run(inputs, signature) {
    return (await engine.run(inputs.map(bytes), signature)).map(text);
  },
  time: (inputs, signature, runs, warmup) => engine.time(inputs.map(bytes), signature, runs, warmup),
};
