"""Which form an app gets. The names are as apps send them."""

import pytest

from node_a.web.link_formats import Format, asked_for, chosen

APPS = {
    "Happ/3.13.0": Format.BASE64,
    "Happ/1.12.0/ios/2506131441": Format.BASE64,
    "Happ/3.13.0 (Windows) like sing-box": Format.BASE64,
    "v2rayNG/2.2.6": Format.BASE64,
    "v2rayN/7.24.4": Format.BASE64,
    "HiddifyNext/4.1.1 (android) like ClashMeta v2ray sing-box": Format.BASE64,
    "HiddifyNextX/3.0 (android) like ClashMeta v2ray sing-box": Format.BASE64,
    "Streisand/1.6.42": Format.BASE64,
    "Shadowrocket/2070 CFNetwork/1410 Darwin/22.6.0": Format.BASE64,
    "v2raytun/ios": Format.BASE64,
    "v2raytun/android": Format.BASE64,
    "V2rayTun/2.3.1 CFNetwork/1568 Darwin/24.1.0": Format.BASE64,
    "V2Box 1.9.6;IOS 17.4": Format.BASE64,
    "SFA/1.12.9 (Build 1; sing-box 1.12.12; language ru_RU)": Format.SING_BOX,
    "SFI/1.12.9 (Build 1; sing-box 1.12.12; language ru_RU)": Format.SING_BOX,
    "SFM/1.13.15 (sing-box 1.13.15)": Format.SING_BOX,
    "SFT/1.13.0": Format.SING_BOX,
    "SFATV/1.13.11 (12)": Format.SING_BOX,
    "sing-box 1.13.15": Format.SING_BOX,
    "Karing/1.2.23.2605": Format.SING_BOX,
    "karing/1.2.18.2102 ios": Format.SING_BOX,
    "clash-verge/v2.4.2": Format.CLASH,
    "FlClash/v0.8.90 clash-verge Platform/android": Format.CLASH,
    "FlClash X/v0.3.0 core/v1.19 Platform/windows": Format.CLASH,
    "Stash/3.1.1 Clash/1.9.0": Format.CLASH,
    "mihomo/1.19.24": Format.CLASH,
    "mihomo.party/v1.5.13 (clash.meta)": Format.CLASH,
    "clash.meta/v1.19.12": Format.CLASH,
    "ClashMetaForAndroid/2.11.7.Meta": Format.CLASH,
    "ClashX Meta/v1.4.24 (com.metacubex.ClashX.meta; build:622; macOS 26.0.0) Alamofire/5.10.2": Format.CLASH,
    "NekoBox/Android/1.4.2 (Prefer ClashMeta Format)": Format.CLASH,
    "koala-clash/0.2.6": Format.CLASH,
    "curl/8.7.1": Format.BASE64,
    "okhttp/4.12.0": Format.BASE64,
    "ktor-client": Format.BASE64,
    "": Format.BASE64,
}
CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(("user_agent", "format"), APPS.items())
def test_each_app_gets_the_form_that_it_reads_best(user_agent: str, format: Format) -> None:
    assert chosen(user_agent, accepts_pages=False) is format
    # Some are made from a browser's parts and say what those would like.
    assert chosen(user_agent, accepts_pages=True) is format


@pytest.mark.parametrize("user_agent", [CHROME, SAFARI])
def test_a_browser_gets_the_page_and_its_scripts_do_not(user_agent: str) -> None:
    assert chosen(user_agent, accepts_pages=True) is Format.PAGE
    assert chosen(user_agent, accepts_pages=False) is Format.BASE64


@pytest.mark.parametrize("name", ["base64", "links", "sing-box", "clash", "xray", "page", " Sing-Box "])
def test_a_form_can_be_asked_for(name: str) -> None:
    format = asked_for(name)
    assert format is not None
    assert format.value == name.strip().lower()


def test_mihomo_is_another_name_for_clash_and_other_names_are_none() -> None:
    assert asked_for("mihomo") is Format.CLASH
    assert asked_for("surge") is None
    assert asked_for("") is None
