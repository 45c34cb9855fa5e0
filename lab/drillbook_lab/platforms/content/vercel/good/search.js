const find = async (text) => (await (await fetch(`/search?order=newest&q=${encodeURIComponent(text)}`)).json()).found;

document.querySelector("#q").addEventListener("input", async (event) => {
  const items = (await find(event.target.value)).map(({ id }) => Object.assign(document.createElement("li"), { textContent: id }));
  document.querySelector("#found").replaceChildren(...items);
});
