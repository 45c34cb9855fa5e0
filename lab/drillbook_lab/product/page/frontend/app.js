const find = async (text) => (await (await fetch(`/search?order=newest&q=${encodeURIComponent(text)}`)).json()).found;

document.querySelector("#search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const items = (await find(event.target.value)).map(({ id }) => Object.assign(document.createElement("li"), { textContent: id }));
  document.querySelector("#found").replaceChildren(...items);
});
