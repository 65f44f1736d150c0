"""`python -m sandbox`: the pretended providers alone, on the loopback.

PORT (5050), PUBLIC_URL, SANDBOX_STATE (a file; none: memory), SANDBOX_SEED, and MOMO_PARTNER_CODE,
MOMO_ACCESS_KEY, MOMO_SECRET_KEY (MoMo's public test set, from its official samples).
"""

import os

from . import MomoKeys, create_sandbox

HOST = "127.0.0.1"


def main() -> None:
    port = int(os.environ.get("PORT", "5050"))
    public_url = os.environ.get("PUBLIC_URL", f"http://{HOST}:{port}")
    seed = os.environ.get("SANDBOX_SEED")
    app = create_sandbox(
        public_url,
        os.environ.get("SANDBOX_STATE"),
        MomoKeys(
            os.environ.get("MOMO_PARTNER_CODE", "MOMO"),
            os.environ.get("MOMO_ACCESS_KEY", "F8BBA842ECF85"),
            os.environ.get("MOMO_SECRET_KEY", "K951B6PE1waDMi640xX08PD3vg6EkVlz"),
        ),
        seed=int(seed) if seed else None,
    )
    print(f"The pretended providers: {public_url}/")
    app.run(HOST, port, threaded=True)


if __name__ == "__main__":
    main()
