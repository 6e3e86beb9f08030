"use strict";
// The before/after slider. Without this script the page still shows the first pair, half and half.
for (const compare of document.querySelectorAll(".compare")) {
  const photos = [...compare.querySelectorAll("figure.photo")];
  const tabs = [...compare.querySelectorAll("button[data-photo]")];
  const selects = [...compare.querySelectorAll("select[data-side]")];

  const showPair = (side, stage) => {
    for (const photo of photos) {
      const images = [...photo.querySelectorAll("img[data-stage]")];
      if (!images.some((image) => image.dataset.stage === stage)) continue;
      for (const image of images) image.classList.toggle(side, image.dataset.stage === stage);
      photo.querySelector(`select[data-side="${side}"]`).value = stage;
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
    const range = photo.querySelector("input[type=range]");
    const move = () => photo.querySelector(".frame").style.setProperty("--at", `${range.value}%`);
    range.addEventListener("input", move);
    move();
  }
}
