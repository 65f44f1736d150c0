"""`python -m sandbox`: the pretended providers alone, on the loopback.

PORT (5050), PUBLIC_URL, SANDBOX_STATE (a file; none: memory), SANDBOX_SEED, and MOMO_PARTNER_CODE,
MOMO_ACCESS_KEY, MOMO_SECRET_KEY (MoMo's public test set, from its official samples);
CAMPAY_PERMANENT_ACCESS_TOKEN, CAMPAY_WEBHOOK_KEY; PAY2S_WEBHOOK_TOKEN, PAY2S_PARTNER_CODE,
PAY2S_ACCESS_KEY, PAY2S_SECRET_KEY, SEPAY_WEBHOOK_SECRET or SEPAY_API_KEY, CASSO_WEBHOOK_KEY,
PAYOS_CHECKSUM_KEY; RAZORPAY_KEY_ID, RAZORPAY_KEY_SECRET, RAZORPAY_WEBHOOK_SECRET; UPI_VPA;
PAYABLE_MERCHANT_KEY, PAYABLE_MERCHANT_TOKEN, PAYABLE_BUSINESS_KEY, PAYABLE_BUSINESS_TOKEN; and
MERCHANT_URL (http://127.0.0.1:5000), to which the providers call that are told their merchant's
address in a dashboard.
"""

import os

from . import (
    BankKeys,
    CampayKeys,
    GatewayKeys,
    MomoKeys,
    PayableKeys,
    RazorpayKeys,
    UpiKeys,
    create_sandbox,
)

HOST = "127.0.0.1"


def main() -> None:
    port = int(os.environ.get("PORT", "5050"))
    public_url = os.environ.get("PUBLIC_URL", f"http://{HOST}:{port}")
    seed = os.environ.get("SANDBOX_SEED")
    merchant = os.environ.get("MERCHANT_URL", f"http://{HOST}:5000")
    app = create_sandbox(
        public_url,
        os.environ.get("SANDBOX_STATE"),
        [
            MomoKeys(
                os.environ.get("MOMO_PARTNER_CODE", "MOMO"),
                os.environ.get("MOMO_ACCESS_KEY", "F8BBA842ECF85"),
                os.environ.get("MOMO_SECRET_KEY", "K951B6PE1waDMi640xX08PD3vg6EkVlz"),
            ),
            CampayKeys(
                os.environ.get("CAMPAY_PERMANENT_ACCESS_TOKEN", "sandbox-campay-permanent-token"),
                os.environ.get("CAMPAY_USERNAME"),
                os.environ.get("CAMPAY_APP_PASSWORD"),
                os.environ.get("CAMPAY_WEBHOOK_KEY", "sandbox-campay-webhook-key-of-32-bytes"),
                f"{merchant}/callbacks/campay",
            ),
            BankKeys(
                f"{merchant}/callbacks",
                os.environ.get("PAY2S_WEBHOOK_TOKEN", "sandbox-pay2s-webhook-token"),
                GatewayKeys(
                    os.environ.get("PAY2S_PARTNER_CODE", "PAY2SDEMO"),
                    os.environ.get("PAY2S_ACCESS_KEY", "sandbox-pay2s-access-key"),
                    os.environ.get("PAY2S_SECRET_KEY", "sandbox-pay2s-secret-key"),
                ),
                os.environ.get("SEPAY_WEBHOOK_SECRET", "sandbox-sepay-webhook-secret"),
                os.environ.get("SEPAY_API_KEY"),
                os.environ.get("CASSO_WEBHOOK_KEY", "sandbox-casso-webhook-key"),
                os.environ.get("PAYOS_CHECKSUM_KEY", "sandbox-payos-checksum-key"),
            ),
            RazorpayKeys(
                os.environ.get("RAZORPAY_KEY_ID", "rzp_test_sandbox"),
                os.environ.get("RAZORPAY_KEY_SECRET", "sandbox-razorpay-key-secret"),
                os.environ.get("RAZORPAY_WEBHOOK_SECRET", "sandbox-razorpay-webhook-secret"),
                f"{merchant}/callbacks/razorpay",
            ),
            UpiKeys(os.environ.get("UPI_VPA", "paychime.demo@upi")),
            PayableKeys(
                os.environ.get("PAYABLE_MERCHANT_KEY", "SANDBOXMERCHANT"),
                os.environ.get("PAYABLE_MERCHANT_TOKEN", "sandbox-payable-merchant-token"),
                os.environ.get("PAYABLE_BUSINESS_KEY", "SANDBOXBUSINESS"),
                os.environ.get("PAYABLE_BUSINESS_TOKEN", "sandbox-payable-business-token"),
            ),
        ],
        seed=int(seed) if seed else None,
    )
    print(f"The pretended providers: {public_url}/")
    app.run(HOST, port, threaded=True)


if __name__ == "__main__":
    main()
