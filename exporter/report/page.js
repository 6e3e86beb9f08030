"use strict";
// The before/after slider. Without this script the page still shows the first pair, half and half.
for (const compare of document.querySelectorAll(".compare")) {
  const photos = [...compare.querySelectorAll("figure.photo")];
  const tabs = [...compare.querySelectorAll("button[data-photo]")];
  const selects = [...compare.querySelectorAll("select[data-side]")];

  const shown = (photo, side) => photo.querySelector(`img.${side}`)?.dataset ?? { name: "", score: "" };

  const move = (photo) => {
    const range = photo.querySelector("input[type=range]");
    photo.querySelector(".frame").style.setProperty("--at", `${range.value}%`);
    const [left, right] = ["left", "right"].map((side) => shown(photo, side).name);
    range.setAttribute("aria-valuetext", `${left} ${range.value} per cent, ${right} ${100 - range.value} per cent`);
  };

  const showPair = (side, stage) => {
    for (const photo of photos) {
      const images = [...photo.querySelectorAll("img[data-stage]")];
      if (!images.some((image) => image.dataset.stage === stage)) continue;
      for (const image of images) image.classList.toggle(side, image.dataset.stage === stage);
      photo.querySelector(`select[data-side="${side}"]`).value = stage;
      const [name, score] = photo.querySelectorAll(`.half.${side} .tag > *`);
      name.textContent = shown(photo, side).name;
      score.textContent = shown(photo, side).score;
      move(photo);
    }
  };

  for (const select of selects) {
    select.addEventListener("change", () => showPair(select.dataset.side, select.value));
  }
  for (const tab of tabs) {
    tab.addEventListener("click", () => {
      for (const other of tabs) other.setAttribute("aria-pressed", String(other === tab));
      for (const photo of photos) photo.classList.toggle("shown", photo.dataset.photo === tab.dataset.photo);
    });
  }
  for (const photo of photos) {
    photo.querySelector("input[type=range]").addEventListener("input", () => move(photo));
    move(photo);
  }
}

// A link to a section that is folded opens it.
const unfold = () => {
  const section = document.getElementById(location.hash.slice(1));
  if (section instanceof HTMLDetailsElement) section.open = true;
};
addEventListener("hashchange", unfold);
unfold();
