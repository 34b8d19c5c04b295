"use strict";
// Filters galleries and opens items. Without scripts, everything can still be viewed, read and played.
const dialog = document.querySelector("dialog");
let opened = null;

function show(card) {
  opened = card;
  const button = card.querySelector(".open");
  const picture = button.querySelector("img");
  const media = dialog.querySelector(".media");
  media.replaceChildren();
  for (const part of card.querySelectorAll("img, audio")) media.append(part.cloneNode(true));
  if (!picture) {
    const text = document.createElement("blockquote");
    text.dir = "auto";
    text.textContent = button.textContent;
    media.append(text);
  }
  const caption = card.querySelector("figcaption, .name");
  dialog.querySelector("h2").textContent = picture ? picture.alt : caption.textContent;
  const facts = card.querySelector("dl").cloneNode(true);
  facts.hidden = false;
  dialog.querySelector(".details").replaceChildren(facts);
  dialog.querySelector(".previous").disabled = !beside(-1);
  dialog.querySelector(".next").disabled = !beside(1);
  if (!dialog.open) dialog.showModal();
}

function beside(step) {
  const cards = [...opened.closest(".gallery").querySelectorAll(".card:not([hidden])")];
  return cards[cards.indexOf(opened) + step];
}

function turn(step) {
  const card = beside(step);
  if (card) show(card);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".open");
  if (button) show(button.closest(".card"));
  if (event.target === dialog) dialog.close(); // a click outside the dialog
});
dialog.querySelector(".previous").addEventListener("click", () => turn(-1));
dialog.querySelector(".next").addEventListener("click", () => turn(1));
dialog.addEventListener("keydown", (event) => {
  if (event.target.closest("audio")) return; // where the arrow keys seek
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
});
dialog.addEventListener("close", () => {
  for (const sound of dialog.querySelectorAll("audio")) sound.pause();
  opened.querySelector(".open").focus();
});

for (const form of document.querySelectorAll("form.filter")) {
  const gallery = form.closest(".gallery");
  const cards = [...gallery.querySelectorAll(".card")];
  const selected = (name) => form.elements.namedItem(name)?.value ?? "";
  const filter = () => {
    const words = form.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const { search, label, source } = card.dataset;
      const fits =
        words.every((word) => search.includes(word)) &&
        (!selected("label") || selected("label") === label) &&
        (!selected("source") || selected("source") === source);
      card.hidden = !fits;
      shown += fits;
    }
    for (const row of gallery.querySelectorAll("[data-row]")) row.hidden = !row.querySelector(".card:not([hidden])");
    form.querySelector("output").textContent = `${shown} shown`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
}
