def test_pages(people, client):
    o = people.order()
    b = people.browser(o)
    for url in (f"/checkout/{o.id}", "/login", "/healthz", "/readyz", f"/checkout/{o.id}/fragment", "/metrics", "/api/openapi.json", "/api/docs"):
        r = b.get(url)
        print(url, r.status_code)
        assert r.status_code == 200, r.get_data(as_text=True)
    assert client.get(f"/checkout/{o.id}").status_code == 404
    s = people.signed_in(people.manager)
    for url in ("/staff/", "/staff/new", f"/staff/orders/{o.id}", f"/staff/orders/{o.id}/show", f"/staff/orders/{o.id}/fragment", "/staff/orders", "/staff/parked"):
        r = s.get(url)
        assert r.status_code == 200, (url, r.get_data(as_text=True))
