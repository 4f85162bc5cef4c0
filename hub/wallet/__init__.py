"""Money: the ledger, holds, charges, refunds and the payment gateway."""
