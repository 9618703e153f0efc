"use strict";
const field = document.getElementById("search");
const entries = [...document.querySelectorAll("li[data-words]")];
const count = document.getElementById("count");
function show() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const entry of entries) {
    const fits = words.every((word) => entry.dataset.words.includes(word));
    entry.hidden = !fits;
    found += fits;
  }
  for (const group of document.querySelectorAll("section")) {
    group.hidden = !group.querySelector("li:not([hidden])");
  }
  count.textContent = `${found} of ${entries.length} pages`;
}
field.hidden = false;
field.value = decodeURIComponent(location.hash.slice(1));
field.addEventListener("input", show);
field.addEventListener("keydown", (event) => {
  const first = entries.find((entry) => !entry.hidden);
  if (event.key === "Enter" && first) location.href = first.querySelector("a").href;
});
show();
field.focus();
