"""Store files: the demo store passes; each fault is named with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import StoreFileError
from contracts.store_file import load_store_file, parse_store_file

DEMO = Path(__file__).parents[2] / "store_sim" / "stores" / "demo.yaml"
TEXT = DEMO.read_text(encoding="utf-8")


def fault(old: str, new: str) -> str:
    assert old in TEXT
    with pytest.raises(StoreFileError) as caught:
        parse_store_file(TEXT.replace(old, new, 1), name="shop.yaml")
    return str(caught.value)


def line_of(part: str) -> int:
    return TEXT[: TEXT.index(part)].count("\n") + 1


def test_the_demo_store_is_whole() -> None:
    store = load_store_file(DEMO)
    assert len(store.products) == 24
    assert [len(bay.boards) for bay in store.bays] == [4, 4, 4]
    assert store.product(store.slots[0].gtin).gtin == store.slots[0].gtin
    with pytest.raises(KeyError, match="4006381333931"):
        store.product("4006381333931")


def test_a_wrong_type_names_line_and_field() -> None:
    text = fault("hold_minor: 5000", "hold_minor: lots")
    assert text.startswith(f"shop.yaml:{line_of('hold_minor: 5000')}: wallet.hold_minor:")
    assert "'lots'" in text


def test_a_missing_field_names_its_parent() -> None:
    text = fault("currency: EUR\n", "")
    assert "currency" in text
    assert "required" in text


def test_an_unknown_field_is_refused() -> None:
    text = fault("name: Sortie Demo Store", "name: Sortie Demo Store\ncolour: red")
    assert "shop.yaml:7: colour" in text or "colour" in text


def test_a_slot_with_an_unknown_gtin_names_its_line() -> None:
    slot = TEXT[TEXT.index("  - {slot_id:") :].splitlines()[0]
    gtin = slot.split('gtin: "')[1][:13]
    text = fault(slot, slot.replace(gtin, "4006381333931"))
    assert text.startswith(f"shop.yaml:{line_of(slot)}: slots.0.gtin: unknown GTIN 4006381333931")


def test_a_gtin_with_a_wrong_check_digit_says_the_right_one() -> None:
    product = TEXT[TEXT.index("\nproducts:") :]
    gtin = product.split('gtin: "')[1][:13]
    wrong = gtin[:-1] + str((int(gtin[-1]) + 1) % 10)
    assert f"check digit would be {gtin[-1]}" in fault(f'gtin: "{gtin}"', f'gtin: "{wrong}"')


def test_a_bay_that_no_node_serves_is_named() -> None:
    assert "expected each bay in exactly one node" in fault(
        "bays: [bay-a, bay-b, bay-c]", "bays: [bay-a, bay-b]"
    )


def test_broken_yaml_names_its_line() -> None:
    text = fault("floor: {width_m: 6.0,", "floor: {width_m: 6.0,,")
    assert text.startswith(f"shop.yaml:{line_of('floor: {width_m')}: not YAML")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(StoreFileError, match="expected a mapping"):
        parse_store_file(text, name="shop.yaml")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(StoreFileError, match="No such file"):
        load_store_file(tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(StoreFileError, match="UTF-8"):
        load_store_file(binary)


def test_goods_that_are_not_simply_sold_and_where_the_store_is() -> None:
    hours = 'sale_hours: [{begin: "06:00", end: "22:00", days: [mon, tue]}]'
    price = TEXT[TEXT.index("price_minor:") :].splitlines()[0]
    text = TEXT.replace(price, f"{price}\n    age_min: 18\n    {hours}", 1)
    text = text.replace(
        "currency: EUR\n", 'currency: EUR\ntime_zone: Europe/Paris\ngln: "4012345000054"\n'
    )
    store = parse_store_file(text, name="shop.yaml")
    assert (store.time_zone, store.gln) == ("Europe/Paris", "4012345000054")
    product = store.products[0]
    assert (product.age_min, product.sale_hours[0].days) == (18, ("mon", "tue"))
    plain = parse_store_file(TEXT, name="shop.yaml")
    assert (plain.time_zone, plain.gln, plain.products[0].age_min) == ("UTC", None, None)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("age_min: 0", "products.0.age_min: Input should be greater than or equal to 1, got 0"),
        (
            'sale_hours: [{begin: "6", end: "22:00"}]',
            "products.0.sale_hours.0.begin: String should",
        ),
        ('sale_hours: [{begin: "06:00", end: "06:00"}]', "other than end, got 06:00, 06:00"),
        ('sale_hours: [{begin: "06:00", end: "07:00", days: [now]}]', "'mon', 'tue'"),
    ],
)
def test_a_field_of_goods_that_is_wrong_says_so(field: str, words: str) -> None:
    price = TEXT[TEXT.index("price_minor:") :].splitlines()[0]
    text = fault(price, f"{price}\n    {field}")
    assert words in text
    assert text.startswith("shop.yaml:")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("time_zone: Mars/Olympus", "time_zone: expected a time zone such as Europe/Paris"),
        ('gln: "4012345000055"', "gln: expected a GLN of 13 digits with a right check digit"),
    ],
)
def test_a_store_that_is_nowhere_is_refused(field: str, words: str) -> None:
    assert words in fault("currency: EUR\n", f"currency: EUR\n{field}\n")


def test_a_slot_that_is_always_low_is_refused() -> None:
    slot = TEXT[TEXT.index("  - {slot_id:") :].split("}")[0]
    text = fault(slot, f"{slot}, low_at: 900")
    assert "slots.0.low_at: expected fewer than the" in text
