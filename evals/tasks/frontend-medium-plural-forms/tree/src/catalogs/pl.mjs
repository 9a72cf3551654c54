export default {
  "cart.title": "Twój koszyk",
  "cart.empty": "Twój koszyk jest pusty",
  "cart.items_one": "{count} produkt",
  "cart.items_many": "{count} produktów",
  "cart.total": "Razem: {amount} €",
  "search.results_one": "{count} wynik dla „{query}”",
  "search.results_many": "{count} wyników dla „{query}”",
  "search.none": "Brak wyników dla „{query}”",
};
