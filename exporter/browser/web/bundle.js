// What the bundle says of itself, and its files, each held against the digest that its manifest names.

export async function readManifest() {
  const answer = await fetch(new URL("../manifest.json", document.baseURI));
  if (!answer.ok) throw new Error("There is no manifest.json beside this page’s folder: it belongs into a bundle’s web/ folder.");
  return answer.json();
}

// Why a file does not fit this page, or "".
export function unfit(model) {
  if (model.format !== "tflite") return "it is no .tflite";
  if (model.states?.length || (model.input.clip ?? 1) > 1) return "it carries a state from frame to frame";
  if ((model.input.frames ?? 1) > 1) return "it takes several frames at a time";
  if (model.input.colour === "rggb") return "it takes sensor values, not photographs";
  return "";
}

// The sizes of a file: signature, ends and tiles of each.
export function sizesOf(model, manifest) {
  const sized = model.signatures ?? [];
  if (sized.length) return sized;
  return [{ name: "", input: model.input, output: model.output, tiling: manifest.tiling }];
}

export async function readModel(model) {
  const answer = await fetch(new URL(`../${model.file}`, document.baseURI));
  if (!answer.ok) throw new Error(`${model.file} was not found (${answer.status}).`);
  const bytes = await answer.arrayBuffer();
  if (!crypto.subtle) return { bytes, checked: false }; // a page that came without TLS from another machine
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  const found = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== model.sha256) throw new Error(`${model.file} is not the file that manifest.json names: its digest is another.`);
  return { bytes, checked: true };
}
