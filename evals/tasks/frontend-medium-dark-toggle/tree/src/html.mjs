// Building blocks of HTML, as strings.

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export function text(value) {
  return String(value).replace(/[&<>"]/g, (character) => ENTITIES[character]);
}

// An attribute that is true stands without a value, such as `disabled`; one that is false, null or undefined is left out.
function attribute([name, value]) {
  if (value === false || value === null || value === undefined) return "";
  return value === true ? ` ${name}` : ` ${name}="${text(value)}"`;
}

// Children are HTML already.
export function el(tag, attributes, ...children) {
  return `<${tag}${Object.entries(attributes).map(attribute).join("")}>${children.join("")}</${tag}>`;
}
