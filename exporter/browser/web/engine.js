// The engine as a page uses it: calls into the worker that holds it.

export class Engine {
  #worker = new Worker(new URL("engine.worker.js", import.meta.url));
  #waiting = new Map();
  #count = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, answer, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(answer);
      else reject(new Error(error));
    };
    this.#worker.onerror = (event) => {
      const error = new Error(event.message || "the engine's worker did not start");
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
  }

  #ask(what, asked, given = []) {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, what, ...asked }, given);
    });
  }

  // `engine`: the folder of the engine's files; gives what runs: build, SIMD, threads, adapter.
  start(engine, accelerator, threads) {
    return this.#ask("start", { engine: new URL(engine, document.baseURI).href, accelerator, threads });
  }

  // `model`: an ArrayBuffer; gives its signatures and whether the accelerator took all of it.
  load(model, accelerator, threads, precision) {
    return this.#ask("load", { model, accelerator, threads, precision }, [model]);
  }

  // `inputs`: an ArrayBuffer for each input, as the file stores it.
  async run(inputs, signature = 0) {
    return (await this.#ask("run", { inputs, signature }, inputs)).outputs;
  }

  // Milliseconds of each of `runs` calls, after `warmup` others.
  async time(inputs, signature, runs, warmup) {
    return (await this.#ask("run", { inputs, signature, runs, warmup }, inputs)).times;
  }

  end() {
    this.#worker.terminate();
  }
}
