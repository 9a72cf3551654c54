// Addresses.

// Only what leads to a web page; anything else leads nowhere.
export function safeUrl(url) {
  return /^https?:\/\//i.test(url) ? url : "#";
}

export function tagPath(tag) {
  return `/tags/${encodeURIComponent(tag)}`;
}

export function postPath(post) {
  return `/posts/${post.id}`;
}
