export default {
  "cart.title": "Twój koszyk",
  "cart.empty": "Twój koszyk jest pusty",
  "cart.items": {
    one: "{count} produkt",
    few: "{count} produkty",
    many: "{count} produktów",
    other: "{count} produktu",
  },
  "cart.total": "Razem: {amount} €",
  "search.results": {
    one: "{count} wynik dla „{query}”",
    few: "{count} wyniki dla „{query}”",
    many: "{count} wyników dla „{query}”",
    other: "{count} wyniku dla „{query}”",
  },
  "search.none": "Brak wyników dla „{query}”",
};
